# KM_DEPENDENCIES: finds every library, and names the Debian package of each that is missing, all at once.
AC_DEFUN([KM_NEED], [
  PKG_CHECK_MODULES([$1], [$2], [:], [km_missing="$km_missing
    $2   (Debian: apt-get install $3)"])
])
AC_DEFUN([KM_DEPENDENCIES], [
  km_missing=
  KM_NEED([GNUTLS], [gnutls >= 3.7.0], [libgnutls28-dev])
  KM_NEED([NETTLE], [nettle >= 3.7], [nettle-dev])
  KM_NEED([HOGWEED], [hogweed >= 3.7], [nettle-dev])
  KM_NEED([ZMQ], [libzmq >= 4.3], [libzmq3-dev])
  KM_NEED([LIBCONFIG], [libconfig >= 1.5], [libconfig-dev])
  KM_NEED([JANSSON], [jansson >= 2.9], [libjansson-dev])
  KM_NEED([ARGON2], [libargon2], [libargon2-dev])
  KM_NEED([MICROHTTPD], [libmicrohttpd >= 0.9.70], [libmicrohttpd-dev])
  KM_NEED([CMOCKA], [cmocka >= 1.1], [libcmocka-dev])
  AC_CHECK_HEADER([gmp.h], [], [km_missing="$km_missing
    gmp   (Debian: apt-get install libgmp-dev)"])
  AS_IF([test -n "$km_missing"], [AC_MSG_ERROR([these libraries are missing or too old:
$km_missing

  In one line: apt-get install libgnutls28-dev nettle-dev libgmp-dev libzmq3-dev libconfig-dev libjansson-dev libargon2-dev libmicrohttpd-dev libcmocka-dev])])
  GMP_LIBS=-lgmp
  AC_SUBST([GMP_LIBS])
])
