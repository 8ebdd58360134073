# One in 9 requests for a frame is refused: whoever asked hears of it, nobody panics or waits for ever, and nothing is lost.
cpus 1 2 4
append fail=9 fail-seed=${cpus}
run /tests/refused_frames
stdout memory
    memory that a call fills
    children
    programs
    threads
    files
    mapped files
    moved mappings
    pipes and sockets
not-in-log panic
