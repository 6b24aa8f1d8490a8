# docker build -t wsgate:0.1.0 .
# docker run -v "$PWD/wsgate.toml:/etc/wsgate/wsgate.toml:ro" -p 8080:8080 wsgate:0.1.0
# In a container the settings must listen on 0.0.0.0.

FROM rust:1.91-bookworm AS build
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked --bin wsgate && cp target/release/wsgate /wsgate \
    && mkdir /state && mkdir -m 0700 /state/wsgate

# This image has the C library and a user, but no shell.
FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /wsgate /usr/bin/wsgate
# For certificates that are ordered: a new volume on /var/lib/wsgate belongs to the user then.
COPY --from=build --chown=65532:65532 /state/ /var/lib/
COPY LICENSE-MIT LICENSE-APACHE /usr/share/doc/wsgate/
USER 65532:65532
EXPOSE 8080
# SIGTERM drains: set `docker stop --time` above drain.deadline.
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/bin/wsgate"]
CMD ["run", "/etc/wsgate/wsgate.toml"]
