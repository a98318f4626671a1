# The image of a Chartlog server: one executable on a base without a shell, run by nobody special.
#
#   docker build -t chartlog .
#
# For a look around, the synthetic clinic on the host's own network and its loopback only:
#
#   docker run --rm --network host -e CHARTLOG_SERVER_LISTEN=127.0.0.1:8080 \
#       -e CHARTLOG_AUTH_LOCAL_ISSUER=true chartlog serve --demo
#
# To serve others, say whose tokens are believed, in a configuration file of your own (every setting
# is listed and explained in config/chartlog.toml; keep CHARTLOG_* variables for what differs between
# machines), and give the server a certificate (server.tls_certificate_file), or let something that
# speaks TLS stand in front, as here. Its address is the one in all links:
#
#   docker run -p 8080:8080 -v chartlog-data:/data -v ./chartlog.toml:/etc/chartlog/chartlog.toml:ro \
#       -v ./login.jwks.json:/etc/chartlog/login.jwks.json:ro \
#       -e CHARTLOG_SERVER_PUBLIC_URL=https://charts.example.org \
#       -e CHARTLOG_CONFIG=/etc/chartlog/chartlog.toml chartlog

FROM rust:1.95-bookworm AS build
WORKDIR /build

# Dependencies first, with an empty program in place of ours: this layer is used again until
# Cargo.toml or Cargo.lock change.
COPY Cargo.toml Cargo.lock ./
# Named by Cargo.toml, not built.
COPY benches benches
RUN mkdir src \
    && echo 'fn main() {}' > src/main.rs \
    && touch src/lib.rs \
    && cargo build --release --locked \
    && rm -r src

COPY console/assets console/assets
COPY src src
# cargo goes by modification times, and a checkout may be older than the layer above.
RUN touch src/main.rs src/lib.rs && cargo build --release --locked

# The final image has no shell to make the data directory with the right owner, so it is made here.
RUN mkdir /empty-data

# glibc, libgcc and the root certificates, user 65532, and nothing else: no shell, no package manager.
FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /build/target/release/chartlog /usr/local/bin/chartlog
# A named volume takes over owner and mode of what it covers.
COPY --from=build --chown=65532:65532 --chmod=700 /empty-data /data
WORKDIR /
USER 65532:65532

# In a container the loopback is the container's own, so the server listens on all addresses. There,
# tokens signed with the key in the data directory would be a back door, so they are off: until
# auth.issuers is set, every request but health, figures and documentation is answered with 401.
# Whoever wants them all the same must say so twice: CHARTLOG_AUTH_LOCAL_ISSUER=true and
# CHARTLOG_AUTH_LOCAL_ISSUER_BEYOND_LOOPBACK=true.
ENV CHARTLOG_SERVER_LISTEN=0.0.0.0:8080 \
    CHARTLOG_STORE_DATA=/data \
    CHARTLOG_AUTH_LOCAL_ISSUER=false \
    CHARTLOG_LOG_FORMAT=json

VOLUME /data
EXPOSE 8080
# `docker stop` sends SIGTERM, which drains: give it longer than limits.shutdown_timeout_seconds.
STOPSIGNAL SIGTERM
# No HEALTHCHECK: there is nothing in this image to ask with. Orchestrators ask /health/live and
# /health/ready themselves.
ENTRYPOINT ["/usr/local/bin/chartlog"]
CMD ["serve"]
