#!/bin/sh
# What the jobs of the tests do, by their first word.
case $1 in
  sum)
    shift
    total=0
    for number; do total=$((total + number)); done
    echo "sum $total"
    ;;
  fail)
    echo "cannot: $3" >&2
    exit "$2"
    ;;
  sleep)
    echo "pid $$"
    exec sleep "$2"
    ;;
  where)
    echo "$AWS_BATCH_JOB_ATTEMPT $GREETING $(pwd | grep -c "$AWS_BATCH_JOB_ID") $(ls | wc -l)"
    ;;
esac
