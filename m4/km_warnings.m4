# KM_WARNINGS: the warnings the house is clean under; errors only with --enable-werror (CI).
AC_DEFUN([KM_WARNINGS], [
  AC_ARG_ENABLE([werror], [AS_HELP_STRING([--enable-werror], [treat warnings as errors])], [], [enable_werror=no])
  KM_WARN_CFLAGS="-Wall -Wextra -Wstrict-prototypes -Wmissing-prototypes -Wshadow -Wvla -Wpointer-arith -Wwrite-strings -Wundef -Wno-unused-parameter"
  AS_IF([test "$enable_werror" = yes], [KM_WARN_CFLAGS="$KM_WARN_CFLAGS -Werror"])
  KM_HARDEN_CFLAGS="-fstack-protector-strong -fvisibility=hidden"
  AS_IF([test "$enable_asan$enable_coverage" = nono], [KM_HARDEN_CFLAGS="$KM_HARDEN_CFLAGS -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2"])
  AC_SUBST([KM_WARN_CFLAGS])
  AC_SUBST([KM_HARDEN_CFLAGS])
])
