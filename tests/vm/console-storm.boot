# At full line rate no byte is lost, and nothing stands still, while every CPU takes the scheduler locks of the others.
cpus 2 4 8
stdin-bytes 100000
run /tests/console_storm
stdout-is-stdin
