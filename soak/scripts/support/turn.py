# The length of a script's run: in seconds, its first argument, or in rounds, if FARCALL_SOAK_ROUNDS is set.
import os, sys, time

end = time.time() + int(sys.argv[1])
wanted = int(os.getenv("FARCALL_SOAK_ROUNDS") or 0)


def goes_on(rounds):
    return rounds < wanted if wanted else time.time() < end
