# The text tools, on enough text that pages, pipes and sorting matter.
seq 1 20000 | awk '{ s += $1 * $1 } END { print s }'
seq 1 20000 | sort -r | md5sum
seq 1 5000 | sed -n 's/^\(.\)\(.*\)7$/\2-\1/p' | tail -n 3
seq 1 3000 | tr '\n' ' ' | fold -w 72 | sha256sum
printf 'b 2\na 1\nc 3\n' | sort -k2 -n | cut -d' ' -f1 | tr '\n' ,; echo
seq 1 100 | grep -c 1; seq 1 1000 | gzip -c | gunzip -c | md5sum
