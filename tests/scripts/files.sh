# Files, folders, links and their modes, as busybox sees them.
set -e
umask 022
top=$(mktemp -d /tmp/files.XXXXXX); cd "$top"
mkdir -p a/b/c; echo hello >a/b/c/file; ln a/b/c/file hard; ln -s a/b/c/file soft
stat -c '%A %h %s' a/b/c/file hard; stat -c '%A %N' soft; readlink soft
cat soft; echo more >>soft; wc -l <hard
mv a/b moved; find . | sort
chmod 4751 hard; stat -c %a hard; umask 077; touch private; stat -c %a private
dd if=/dev/zero of=sparse bs=1 count=1 seek=1000000 2>/dev/null; stat -c %s sparse
cp -a moved copy; diff -r moved copy && echo same
rm -r moved; ls -1; rmdir copy 2>&1 || echo "not empty: $?"
cat missing 2>/dev/null || echo "missing: $?"
echo x >/dev/null; head -c 4 /dev/zero | od -An -tx1
touch -d '2001-02-03 04:05:06' old; TZ=UTC date -u -r old '+%Y-%m-%d %H:%M:%S'
cd /; rm -r "$top"; test -e "$top" || echo gone
