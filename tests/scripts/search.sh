# Programs of many threads from crates.io, unmodified: the answers are sorted, for threads answer in any order.
# needs: ripgrep fd-find
top=$(mktemp -d /tmp/search.XXXXXX); cd "$top"
i=0; while [ $i -lt 40 ]; do mkdir -p "d$((i % 7))/e$i"; seq $i 300 >"d$((i % 7))/e$i/numbers$i.txt"; i=$((i + 1)); done
rg --threads 4 --no-ignore --count '7$' . | sort
rg --threads 4 --no-ignore --files . | sort | md5sum
rg --no-ignore -j1 'no such thing' .; echo "nothing: $?"
seq 1 100000 | rg --count '9.*9'
fd --threads 4 --no-ignore --extension txt . | sort | md5sum
fd --threads 4 --no-ignore --type d 'e1' | sort
seq 1 20 | rg 7
fd --no-ignore numbers39 --exec wc -l
cd /; rm -r "$top"
