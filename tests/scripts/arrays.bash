# Debian's static bash: arrays, process substitution's plumbing, coprocesses, many subshells.
declare -A ages=([ann]=3 [bob]=5); for name in ann bob; do echo "$name ${ages[$name]}"; done
list=({1..200}); echo "${#list[@]} ${list[*]: -3}"
total=0; for n in "${list[@]}"; do ((total += n)); done; echo "$total"
coproc worker { while read -r line; do echo "got $line"; done; }
echo hello >&"${worker[1]}"; read -r reply <&"${worker[0]}"; echo "$reply"
exec {worker[1]}>&-; wait "$worker_PID"; echo "worker $?"
for i in 1 2 3 4; do (exit "$i") & pids[i]=$!; done; for i in 4 3 2 1; do wait "${pids[i]}"; echo "child $?"; done
trap 'echo caught' TERM; kill -TERM $BASHPID; printf '%(%Y)T\n' 0
string=$(printf 'x%.0s' {1..5000}); echo ${#string}
[[ abc123 =~ ([a-z]+)([0-9]+) ]] && echo "${BASH_REMATCH[2]} ${BASH_REMATCH[1]}"
mapfile -t lines < <(printf 'one\ntwo\n'); echo "${lines[1]}"
exit 6
