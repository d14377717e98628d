#!/bin/sh
# Runs a task in the folder of the project on a host:  sh src/remote/job.sh NAME VERSION PYTHON TASK FLAGS...
#
# It outlives the connection that started it (setsid). While it runs, .remote/running is locked, by handle 9 that it is
# given, and holds NAME and the words of the task; .remote/NAME/exit holds its exit code afterwards. VERSION is that of
# the code, for runs to note.
# PYTHON has all packages; "" = the project's own environment, which is made where there is none, or requirements.txt is
# another one by now.
name=$1 job=.remote/$1 python=$3
export AUDIOS_CODE="$2" PYTHONUNBUFFERED=1
trap : INT # meant for the task, whose end is waited for
shift 3
printf '%s\n' "$name $*" >.remote/running && echo $$ >"$job/group" || exit

end() {
    echo "$1" >"$job/exit.part" && mv "$job/exit.part" "$job/exit"
    exit "$1"
}

if [ -z "$python" ]; then
    python=.venv/bin/python
    if ! sha256sum --status --check .venv/requirements.sha256 2>/dev/null; then
        for base in python3.11 python3.12 python3.13 python3.14 python3 ""; do
            "$base" -c 'import sys; sys.exit(sys.version_info < (3, 11, 4))' 2>/dev/null && break
        done
        [ -n "$base" ] || { echo "There is no Python 3.11.4 or newer; install one." && end 2; }
        echo "The environment is made; that takes some minutes."
        { "$base" -m venv .venv && $python -m pip install -q --disable-pip-version-check -r requirements.txt &&
            sha256sum requirements.txt >.venv/requirements.sha256; } 9>&- || end 2
    fi
fi
"$python" -m fabric "$@"
end $?
