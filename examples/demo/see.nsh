# Counters are read every other second, so that one need not wait for what has just been sent.
set telemetry polling-interval 2
commit comment "look more often"
