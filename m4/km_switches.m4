# KM_SWITCHES: sanitizers, fuzzers, constant-time runs, coverage, attack builds.
AC_DEFUN([KM_SWITCHES], [
  AC_ARG_ENABLE([asan], [AS_HELP_STRING([--enable-asan], [build with AddressSanitizer])], [], [enable_asan=no])
  AC_ARG_ENABLE([ubsan], [AS_HELP_STRING([--enable-ubsan], [build with UndefinedBehaviorSanitizer])], [], [enable_ubsan=no])
  AC_ARG_ENABLE([fuzz], [AS_HELP_STRING([--enable-fuzz], [link the fuzz targets with libFuzzer (needs CC=clang)])], [], [enable_fuzz=no])
  AC_ARG_ENABLE([ctime], [AS_HELP_STRING([--enable-ctime], [mark secrets for the constant-time runs under valgrind])], [], [enable_ctime=no])
  AC_ARG_ENABLE([coverage], [AS_HELP_STRING([--enable-coverage], [build with gcov counters])], [], [enable_coverage=no])

  KM_SWITCH_CFLAGS=
  AS_IF([test "$enable_asan" = yes], [KM_SWITCH_CFLAGS="$KM_SWITCH_CFLAGS -fsanitize=address -fno-omit-frame-pointer"])
  AS_IF([test "$enable_ubsan" = yes], [KM_SWITCH_CFLAGS="$KM_SWITCH_CFLAGS -fsanitize=undefined -fno-sanitize-recover=all"])
  AS_IF([test "$enable_fuzz" = yes], [
    KM_SWITCH_CFLAGS="$KM_SWITCH_CFLAGS -fsanitize=fuzzer-no-link"
    FUZZ_LDFLAGS="-fsanitize=fuzzer"])
  AS_IF([test "$enable_coverage" = yes], [KM_SWITCH_CFLAGS="$KM_SWITCH_CFLAGS --coverage -O0"])
  AC_CHECK_HEADER([valgrind/memcheck.h], [km_have_memcheck=yes], [km_have_memcheck=no])
  AM_CONDITIONAL([HAVE_MEMCHECK], [test "$km_have_memcheck" = yes])
  AS_IF([test "$enable_ctime" = yes], [
    AS_IF([test "$km_have_memcheck" = no], [AC_MSG_ERROR([--enable-ctime needs valgrind/memcheck.h (Debian: apt-get install valgrind)])])
    AC_DEFINE([KM_CTIME], [1], [mark secrets undefined for valgrind])])
  AC_SUBST([KM_SWITCH_CFLAGS])
  AC_SUBST([FUZZ_LDFLAGS])
  AM_CONDITIONAL([ENABLE_FUZZ], [test "$enable_fuzz" = yes])
  AM_CONDITIONAL([ENABLE_CTIME], [test "$enable_ctime" = yes])
])
