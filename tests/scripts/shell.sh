# The shell itself: subshells, traps, here-documents, functions, arithmetic, background jobs.
f() { local x=$1; [ "$x" -le 1 ] && echo 1 && return; echo $((x * $(f $((x - 1))))); }
f 6
cat <<END
$(echo nested "$(echo deep)") $((7 * 6))
END
trap 'echo trapped' USR1; kill -USR1 $$; trap - USR1
(trap 'echo leaving' EXIT; exit 4); echo "status $?"
sleep 0.2 & first=$!; (exit 5) & second=$!
wait $second; echo "second $?"; wait $first; echo "first $?"
sh -c 'kill -TERM $$'; echo "terminated $?"
sh -c 'exec cat </dev/null'; echo "exec $?"
/no/such/program 2>/dev/null; echo "absent $?"
/etc 2>/dev/null; echo "a folder $?"
i=0; while [ $i -lt 200 ]; do (exit 0) || echo bad; i=$((i + 1)); done; echo "$i subshells"
x=$(seq 1 1000); set -- $x; echo $#
case abc in a*c) echo matched ;; esac
read -r line <<END2
from here
END2
echo "$line"
exit 9
