# What zoverall tells of matchup's rows, as a yardstick for bench_logs.py: written for this project from the meaning of
# the rows, d and m, not from qmailanalog's text.

$1 == "m" {
    messages++
    recipients += $5 + $6
    attempts += $5 + $6 + $7
    bytes += $4
    success_bytes += $4 * $5
    qtime += $3 - $2
    if (first == 0 || $2 < first) first = $2
    if ($3 > last) last = $3
}

$1 == "d" {
    tries++
    xdelay += $5 - $4
    if ($2 == "k") { successes++; ddelay += $5 - $3 }
    else if ($2 == "d") failures++
    else deferrals++
    if (first == 0 || $3 < first) first = $3
    if ($5 > last) last = $5
}

END {
    printf "Completed messages: %d\nRecipients for completed messages: %d\n", messages, recipients
    printf "Total delivery attempts for completed messages: %d\n", attempts
    printf "Bytes in completed messages: %.0f\nBytes weighted by success: %.0f\n", bytes, success_bytes
    if (messages) printf "Average message qtime (s): %g\n", qtime / messages
    printf "Total delivery attempts: %d\n  success: %d\n  failure: %d\n  deferral: %d\n", tries, successes, failures, deferrals
    if (successes) printf "Average success ddelay (s): %g\n", ddelay / successes
    if (tries) printf "Average xdelay (s): %g\n", xdelay / tries
    if (last > first) printf "Average concurrency: %g\n", xdelay / (last - first)
}
