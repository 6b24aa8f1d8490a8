# docker build -t wsgate:0.1.0 .
# docker run -v "$PWD/wsgate.toml:/etc/wsgate/wsgate.toml:ro" -p 8080:8080 wsgate:0.1.0
# The settings have to listen on 0.0.0.0 there.

FROM rust:1.91-bookworm AS build
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked --bin wsgate && cp target/release/wsgate /wsgate

# The C library and a user, and no shell.
FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /wsgate /usr/bin/wsgate
COPY LICENSE-MIT LICENSE-APACHE /usr/share/doc/wsgate/
USER 65532:65532
EXPOSE 8080
# Drains: `docker stop --time` has to be above drain.deadline.
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/bin/wsgate"]
CMD ["run", "/etc/wsgate/wsgate.toml"]
