# How long a script goes on: so many seconds, its first argument; or so many rounds, where FARCALL_SOAK_ROUNDS says that.
import os, sys, time

end = time.time() + int(sys.argv[1])
wanted = int(os.getenv("FARCALL_SOAK_ROUNDS") or 0)


def goes_on(rounds):
    return rounds < wanted if wanted else time.time() < end
