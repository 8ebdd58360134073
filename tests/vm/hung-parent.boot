# A parent that has waited long for its child is listed with the child's number.
append hung=1
script
    sh -c 'sleep 4; true' &
    parent=$!
    sleep 2
    child=$(grep -l "^PPid:[^0-9]*$parent$" /proc/[0-9]*/status | tr -dc 0-9)
    grep -q "process $parent task.*for its child $child waits" /proc/hung && echo named
    wait
stdout named
not-in-log hung:
