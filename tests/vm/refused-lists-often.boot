# One in 5 requests for a frame or for room in a list is refused: whoever asked hears of it, and what is there stays right.
cpus 1 2 4
append fail-lists=5 fail-seed=1${cpus}
run /tests/refused_lists
stdout descriptors
    many at once are watched
    record locks
    signals that wait
    words that are waited for
    pieces of buffers
    pieces of mappings
    lists of mappings
    descriptors on their way
    long command lines
    terminals
    watches
not-in-log panic
