# Sourced by ./espalier and ./mvnw: sets JAVA_HOME to a JDK 25 or later, or says how to get one and exits with 2.

# The feature release of the JDK in folder $1, or nothing. Its `release` file says it without starting a JVM.
espalier_release() {
    [ -x "$1/bin/javac" ] && [ -r "$1/release" ] || return 0
    sed -n 's/^JAVA_VERSION="\([0-9]*\).*/\1/p' "$1/release"
}

espalier_find_jdk() {
    on_path=$(command -v javac 2>/dev/null || true)
    if [ -n "$on_path" ]; then
        on_path=$(readlink -f "$on_path" 2>/dev/null || echo "$on_path")
        on_path=${on_path%/bin/javac}
    fi
    mac=$(/usr/libexec/java_home -v 25+ 2>/dev/null || true)
    for home in "${JAVA_HOME:-}" "$on_path" "$mac" /usr/lib/jvm/* "${HOME:-/}"/.sdkman/candidates/java/* "${HOME:-/}"/.jdks/*; do
        [ -n "$home" ] || continue
        release=$(espalier_release "$home")
        if [ -n "$release" ] && [ "$release" -ge 25 ]; then
            JAVA_HOME=$home
            export JAVA_HOME
            return 0
        fi
    done
    echo "Espalier needs a JDK 25 or later, and found none in JAVA_HOME, on the PATH, in /usr/lib/jvm or under SDKMAN." >&2
    echo "Install one (for example Eclipse Temurin 25: https://adoptium.net) and set JAVA_HOME to its folder." >&2
    exit 2
}

espalier_find_jdk
