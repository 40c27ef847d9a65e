# Builds naka-gs and runs its demo without a GPU:
#   docker build -t naka-gs . && docker run --rm -v "$PWD:/work" naka-gs demo
FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
RUN cargo build --release --locked

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends libvulkan1 mesa-vulkan-drivers colmap ffmpeg \
    && rm -rf /var/lib/apt/lists/*
COPY --from=build /src/target/release/naka-gs /usr/local/bin/naka-gs
WORKDIR /work
ENTRYPOINT ["naka-gs"]
CMD ["doctor"]
