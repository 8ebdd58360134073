# Debian's dynamic bash: its own language, jobs, signals and redirections.
# packages: bash coreutils procps grep
export LC_ALL=C
cd /tmp

echo "== words"
declare -A map=([one]=1 [two]=2 [three]=3); for k in "${!map[@]}"; do echo "$k=${map[$k]}"; done | sort
list=(a "b c" d); echo "${#list[@]} ${list[@]: -1} ${list[1]@Q}"; mapfile -t lines < <(printf '%s\n' x y z); echo "${lines[*]}"
text=Hello; echo "${text,,} ${text^^} ${text/l/L} ${text:1:3} ${text%lo} ${#text} ${nothing:-default}"
[[ "abc123" =~ ([a-z]+)([0-9]+) ]] && echo "${BASH_REMATCH[1]}-${BASH_REMATCH[2]}"
echo $((16#ff)) $((2**40)) $((7 % 3 << 2)) {1..5} {a..e..2}; printf -v padded '%05d|%-5s|%x' 42 ab 255; echo "$padded"
shopt -s extglob nullglob globstar; mkdir -p g/h/i; touch g/{a,b}.txt g/h/c.txt g/h/i/d.log; echo g/**/*.txt; echo g/!(a).txt; echo none*
case "word" in w*d) echo matched ;;& *o*) echo again ;; esac
coproc adder { while read -r a b; do echo $((a + b)); done; }; echo "3 4" >&"${adder[1]}"; read -r sum <&"${adder[0]}"; echo "sum $sum"; kill %1 2>/dev/null; wait 2>/dev/null

echo "== functions and errors"
f() { local x=$1; (( x > 0 )) && { f $((x - 1)); echo -n "$x "; }; return 3; }; f 5; echo "status $?"
trap 'echo "err at line $LINENO"' ERR; false; trap - ERR
( set -e; false; echo never ); echo "subshell $?"; ( set -u; echo "$unset_variable" ) 2>/dev/null; echo "unset $?"
set -o pipefail; false | true; echo "pipefail $?"; true | false | true; echo "${PIPESTATUS[@]}"; set +o pipefail
eval 'echo evaluated'; . <(echo 'sourced=yes'); echo "$sourced"; command -v bash; type -t f cd ls
exec 3<>file; echo "line one" >&3; exec 3>&-; exec 4<file; read -u 4 l; echo "$l"; exec 4<&-
cat <<- END <(echo from a process)
	a here document with $((1 + 1))
END
cat <<< "a here string"; { echo out; echo err >&2; } 2>&1 > /dev/null | sed 's/^/only: /'; echo both &> both; cat both

echo "== jobs and signals"
set -m
sleep 30 & sleep 31 & jobs -r | sed 's/\[\(.\)\][+-]*/\1/' ; kill -STOP %1; sleep 0.1; jobs -s | wc -l; kill -CONT %1; kill %1 %2; wait %1; echo "ended $?"; wait %2; echo "ended $?"
set +m
trap 'echo usr1' USR1; kill -USR1 $$; trap 'echo "exit trap in $BASHPID" | sed s/[0-9]*$/N/' EXIT; (trap 'echo sub exit' EXIT); trap - EXIT
(trap 'echo term; exit 5' TERM; while :; do sleep 0.05; done) & child=$!; sleep 0.3; kill $child; wait $child; echo "trap status $?"
for i in 1 2 3 4 5 6 7 8; do (exit $i) & done; for i in 1 2 3 4 5 6 7 8; do wait -n; s=$((s + $?)); done; echo "sum of statuses $s"
(sleep 0.2; echo late) & wait -f $!; ( kill -9 $BASHPID ); echo "killed $?"; bash -c 'kill -SEGV $$'; echo "segv $?"
read -t 0.1 -r nothing < <(sleep 1); echo "read timed out: $(( $? > 128 ))"
ulimit -n 20; bash -c 'for i in {3..40}; do eval "exec $i</dev/null" 2>/dev/null || { echo "no descriptor $i"; break; }; done'
time_out=$( { TIMEFORMAT=%R; time sleep 0.1; } 2>&1 ); [[ $time_out == 0.* ]] && echo timed
ps -o comm= -p $$; ps -e | wc -l | grep -q '[0-9]' && echo "processes listed"; pgrep -x bash > /dev/null && echo found
echo "level $SHLVL options $- rand $((RANDOM >= 0))" | tr -d 0-9
seq 1 200 | while read -r n; do (( n % 50 == 0 )) && echo "at $n"; done; for i in {1..100}; do echo "$(( i * i ))"; done | tail -1
for i in {1..60}; do x=$(echo $i | cat | cat); done; echo "sixty pipelines $x"
