# Arguments arrive byte for byte: blanks, quotes, percent signs, nothing at all.
cpus 1
run /bin/busybox printf '<%s>\n' 'two words' '"quoted"' '100%' '' 'é' ' -- ' --
stdout <two words>
stdout <"quoted">
stdout <100%>
stdout <>
stdout <é>
stdout < -- >
stdout <-->
