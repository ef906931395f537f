#!/usr/bin/env bash
# Makes docker archives of the guide's images from Debian packages, without docker and without a registry.
#
# usage: tests/images/build.sh [busybox|perl|postgres]…      default: all; prints the path of each archive
#
# The archives are kept in target/test-images (or $KILN_TEST_IMAGES), and a second run only prints their paths. Packages are
# downloaded by apt-get, checked by it, and unpacked: nothing is installed. The names are those that the guide's manifests use;
# Debian's perl is newer than the perl:5.34 that it stands in for here, and of PostgreSQL there are the clients alone.
set -euo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
out=${KILN_TEST_IMAGES:-$root/target/test-images}
# Changes when the recipes below change, so that older archives are made again.
recipe=$(sha256sum "$0" | cut -c1-12)

case $(dpkg --print-architecture) in
  amd64) arch=amd64 triplet=x86_64-linux-gnu ;;
  arm64) arch=arm64 triplet=aarch64-linux-gnu ;;
  *) echo "build.sh: no recipe for $(dpkg --print-architecture)" >&2; exit 1 ;;
esac

# unpack DIR PACKAGE…: the packages' files below DIR
unpack() {
  local dir=$1 debs deb
  shift
  debs=$(mktemp -d "$work/debs.XXXXXX")
  (
    cd "$debs"
    apt-get -qq -o APT::Sandbox::User=root download "$@" 2>"$work/apt.log" ||
      { apt-get -qq update && apt-get -qq -o APT::Sandbox::User=root download "$@"; } 2>"$work/apt.log" ||
      { cat "$work/apt.log" >&2; exit 1; }
  )
  mkdir -p "$dir"
  for deb in "$debs"/*.deb; do
    dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$dir" --keep-directory-symlink
  done
}

# add_busybox DIR: busybox with a link for each of its applets that is not there yet
add_busybox() {
  local dir=$1 applet
  unpack "$work/busybox-static" busybox-static
  mkdir -p "$dir/bin"
  cp "$(find "$work/busybox-static" -type f -name busybox -path '*bin/*' | head -n 1)" "$dir/bin/busybox"
  for applet in $("$dir/bin/busybox" --list); do
    [ -e "$dir/bin/$applet" ] || [ -e "$dir/usr/bin/$applet" ] || ln -s busybox "$dir/bin/$applet"
  done
}

# add_base DIR: what programs expect to find in any root
add_base() {
  local dir=$1
  mkdir -p "$dir"/{etc,root,tmp,var/tmp,proc,sys,dev}
  chmod 1777 "$dir/tmp" "$dir/var/tmp"
  chmod 700 "$dir/root"
  printf 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n' >"$dir/etc/passwd"
  printf 'root:x:0:\nnogroup:x:65534:\n' >"$dir/etc/group"
}

# archive DIR FILE CMD TAG…: a docker archive of one layer
archive() {
  local dir=$1 file=$2 cmd=$3 stage diff_id config tags
  shift 3
  stage=$(mktemp -d "$work/archive.XXXXXX")
  tar -c -C "$dir" --sort=name --owner=0 --group=0 --numeric-owner --mtime=@0 . >"$stage/layer.tar"
  diff_id=$(sha256sum "$stage/layer.tar" | cut -d' ' -f1)
  printf '{"architecture":"%s","os":"linux","created":"1970-01-01T00:00:00Z","config":{"Env":["PATH=%s"],"Cmd":["%s"]},"rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}' \
    "$arch" /usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$cmd" "$diff_id" >"$stage/config"
  config=$(sha256sum "$stage/config" | cut -d' ' -f1).json
  mv "$stage/config" "$stage/$config"
  tags=$(printf '"%s",' "$@")
  printf '[{"Config":"%s","RepoTags":[%s],"Layers":["layer.tar"]}]' "$config" "${tags%,}" >"$stage/manifest.json"
  tar -c -C "$stage" -f "$file.new" layer.tar "$config" manifest.json
  mv "$file.new" "$file"
}

busybox() {
  add_base "$work/busybox"
  add_busybox "$work/busybox"
  archive "$work/busybox" "$1" sh busybox:1.35 busybox:latest
}

# merge_usr DIR: as packages expect it, before they are unpacked
merge_usr() {
  local dir=$1 name
  mkdir -p "$dir"/usr/{bin,sbin,lib,lib64}
  for name in bin sbin lib lib64; do ln -s "usr/$name" "$dir/$name"; done
}

perl() {
  local dir=$work/perl
  merge_usr "$dir"
  # libmath-bigint-perl: the bignum of Debian 12's perl 5.36 cannot compute 2,000 digits of pi, the newer one there can.
  unpack "$dir" perl-base perl perl-modules-5.36 libperl5.36 libmath-bigint-perl \
    libc6 libcrypt1 libgcc-s1 gcc-12-base libdb5.3 libgdbm6 libgdbm-compat4 zlib1g libbz2-1.0
  rm -rf "$dir"/usr/share/{doc,man,locale,lintian,bug}
  add_base "$dir"
  add_busybox "$dir"
  [ -e "$dir/usr/lib/$triplet/libc.so.6" ]
  archive "$dir" "$1" perl perl:5.34 perl:5.36 perl:latest
}

postgres() {
  local dir=$work/postgres
  merge_usr "$dir"
  # Without perl, which only Debian's wrapper around psql wants: the shell is busybox's, as in the alpine image.
  unpack "$dir" postgresql-client-15 libpq5 libssl3 libgssapi-krb5-2 libkrb5-3 libk5crypto3 libkrb5support0 libcom-err2 libkeyutils1 \
    libldap-2.5-0 libsasl2-2 libgnutls30 libp11-kit0 libidn2-0 libunistring2 libtasn1-6 libhogweed6 libnettle8 libgmp10 libffi8 \
    libreadline8 libtinfo6 liblz4-1 libzstd1 zlib1g libc6 libgcc-s1 gcc-12-base
  rm -rf "$dir"/usr/share/{doc,man,locale,lintian,bug} "$dir"/usr/lib/*/gconv "$dir"/usr/share/postgresql/*/man
  ln -s ../lib/postgresql/15/bin/psql "$dir/usr/bin/psql"
  add_base "$dir"
  add_busybox "$dir"
  [ -e "$dir/usr/lib/$triplet/libc.so.6" ]
  archive "$dir" "$1" psql postgres:15-alpine
}

[ $# -gt 0 ] || set -- busybox perl postgres
mkdir -p "$out"
exec 9>"$out/.lock"
flock 9
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for image in "$@"; do
  case $image in busybox | perl | postgres) ;; *) echo "build.sh: no recipe for $image: there are busybox, perl and postgres" >&2; exit 2 ;; esac
  file=$out/$image-$recipe.tar
  if [ ! -e "$file" ]; then
    rm -f "$out/$image"-*.tar
    "$image" "$file"
  fi
  echo "$file"
done
