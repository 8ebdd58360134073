# Debian's dynamic bash with coreutils, grep, sed, awk, tar, gzip and xz: pipelines over a tree of files, every result by its checksum.
# packages: bash coreutils grep sed mawk gawk findutils diffutils tar gzip xz-utils
export LC_ALL=C TZ=UTC
set -u
cd /tmp

echo "== a tree"
mkdir -p tree/{a,b,c}/{x,y}
for d in tree/*/*; do seq 1 200 | sed "s|^|$d line |" > "$d/lines"; done
head -c 300000 /dev/zero | tr '\0' 'z' > tree/a/large
ln -s ../a/large tree/b/link; ln tree/a/large tree/c/hard
chmod 640 tree/a/x/lines; touch -d '2020-02-02 02:02:02' tree/a/y/lines
find tree -printf '%p %y %m %s %n\n' | grep -v ' d ' | sort
stat -c '%n %A %h %s %Y' tree/a/y/lines
du -b --apparent-size tree/a/large | cut -f1

echo "== coreutils"
seq 1 20000 | shuf --random-source=<(yes) | sort -n -S 64K --parallel=4 | md5sum
seq 1 5000 | sort -R --random-source=<(yes 1) | sort -g | uniq | wc
paste -d, <(seq 1 5) <(seq 6 10) > copy; join -t, copy <(sed 's/,/,x/' copy)
comm -12 <(seq 1 3 30 | sort) <(seq 1 5 30 | sort) | tr '\n' ' '; echo
split -n l/4 -d tree/a/x/lines part. && wc -l part.* && cat part.* | cmp - tree/a/x/lines && echo same
seq 1 100 | pr -5 -t -w 60 | head -3
printf '%s\n' one two three | nl -w2 | tac
date -u -d @1700000000 '+%F %T'; numfmt --to=iec 123456789; factor 1234567890123; expr 6 \* 7
echo hello | od -An -tx1c; base64 <<< "some text" | base64 -d; basenc --base32 <<< text
sha256sum tree/a/large | cut -c1-16; b2sum tree/a/large | cut -c1-16; cksum tree/a/large
cp -a tree copied && diff -r tree copied && echo "copied all"; stat -c '%a %Y' copied/a/y/lines; stat -c %a copied/a/x/lines
mv copied moved && rm -r moved && ls -d copied moved 2>/dev/null; echo "status $?"
install -D -m 600 tree/a/x/lines deep/er/file && stat -c %a deep/er/file
dd if=/dev/zero of=sparse bs=1 count=0 seek=5M 2>/dev/null; stat -c '%s %b' sparse; truncate -s 100 sparse; wc -c < sparse
timeout 0.2 sleep 5; echo "timeout $?"; timeout -s KILL 0.2 sleep 5; echo "timeout $?"
seq 1 12 | xargs -P 4 -n 3 sh -c 'echo "$(($1+$2+$3))"' sh | sort -n | tr '\n' ' '; echo
env -i A=1 B=2 env | sort; echo $(($(nice -n 5 nice) - $(nice))); stdbuf -oL echo buffered; nproc > /dev/null && echo counted
mktemp -d XXXX.dir > name && test -d "$(cat name)" && echo made; readlink -f tree/b/link; realpath --relative-to=tree/c tree/a/large
tty; test -t 0; echo $?; id -un; whoami; pwd; dirname /a/b/c; basename /a/b/c.txt .txt; seq -s+ 1 10
mkfifo pipe; (cat pipe | tr a-z A-Z) & echo through a pipe > pipe; wait
csplit -s tree/a/x/lines /50/ /100/ && wc -l xx*; fold -w 20 <<< "a line that is longer than twenty bytes"; fmt -w 30 <<< "a line that is longer than thirty bytes of text"
shred -u -n 1 part.00; ls part.*; sync; df /tmp | head -1 | cut -c1-10

echo "== grep, sed, awk"
grep -rc 'line 1' tree | sort; grep -oP '(?<=line )19\d' tree/a/x/lines | tail -2; grep -Ev '[0-8]$' tree/b/x/lines | wc -l
sed -n '/line 10$/,/line 12$/p' tree/c/y/lines | sed -E 's/(tree)\/(c)/\2-\1/; y/l/L/'; sed -i.old '1,190d' tree/c/y/lines; wc -l tree/c/y/lines*
for awk in mawk gawk; do
    $awk '{ n[$1] += $3 } END { for (k in n) print k, n[k] }' tree/a/x/lines tree/b/x/lines | sort
    $awk 'BEGIN { while (("echo one; echo two" | getline line) > 0) print "got " line; printf "%5.2f %s\n", 3.14159, substr("abcdef", 2, 3) }'
done
gawk 'BEGIN { PROCINFO["sorted_in"] = "@ind_num_asc"; for (i = 5; i; i--) a[i] = i * i; for (i in a) print i, a[i]; print strftime("%F", 0, 1), toupper("x"), gensub(/(b)/, "<\\1>", "g", "abcb") }'

echo "== archives"
tar -cf - --sort=name --mtime=@0 tree | md5sum | cut -c1-8
tar -czf t.gz tree && mkdir out && tar -xzf t.gz -C out && diff -r tree out/tree && echo "gzip same"
XZ_OPT=-T2 tar -cJf t.xz tree && rm -r out && mkdir out && tar -xJf t.xz -C out && diff -r tree out/tree && echo "xz same"
tar -tvf t.xz --full-time 2>/dev/null | grep a/y/lines | tr -s ' '
gzip -fk9 tree/a/large && gzip -l tree/a/large.gz && zcat tree/a/large.gz | cmp - tree/a/large && echo back
head -c 2000000 /dev/urandom > random; xz -T4 --block-size=256KiB -k random && xz -t random.xz && xz -dc random.xz | cmp - random && echo "xz threads back"
tar -cf inc.tar -g snapshot tree && touch -d @1 tree/new && tar -cf inc2.tar -g snapshot tree && tar -tf inc2.tar | grep -v '/$'
head -c 1000 t.xz | xz -t 2>/dev/null; echo "a broken one: $?"
