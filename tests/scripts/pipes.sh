# Pipelines: ten processes long, broken early, with statuses from the middle.
seq 1 2000 | cat | tr 0-9 a-j | sort | uniq | rev | cat | tac | head -n 5 | wc -c
yes | head -n 3
echo one two three | while read -r a b; do echo "$b"; done
false | true; echo "last: $?"
set -o pipefail; false | true; echo "any: $?"
(exit 3) | cat; echo "inner: $?"
{ echo out; echo err >&2; } 2>&1 | sort
head -c 300000 /dev/zero | wc -c
