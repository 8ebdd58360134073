# Descriptors by their names below /proc and /dev: pipes, files, both ways.
echo through a pipe | cat /dev/stdin
echo twice | { head -c 3 /proc/self/fd/0; cat; }
echo out > /dev/stdout
{ echo err > /dev/stderr; } 2>&1 | sed 's/^/got /'
echo written | { cat > /proc/self/fd/1; } | tr a-z A-Z
echo file > /tmp/descriptors.txt
cat /dev/fd/3 3< /tmp/descriptors.txt
true | stat -L -c '%F %a' /proc/self/fd/0
true | readlink /proc/self/fd/0 | sed 's/[0-9]\{1,\}/N/'
exec 4< /dev/null
readlink /proc/self/fd/4
# The other end of a pipe, opened by name: a reader's link opened for writing.
mkfifo /tmp/descriptors.fifo
(echo by name > /tmp/descriptors.fifo) & cat /tmp/descriptors.fifo
wait
(echo data; sleep 1) | (sleep 1; read line; echo "$line"; readlink /proc/self/fd/0 | cut -c1-6)
rm /tmp/descriptors.txt /tmp/descriptors.fifo
