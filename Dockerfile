# One file, three images: docker build --target operator|masterd|agentd .
# The local cluster builds the same images without Docker (hack/localkube).

FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=dev
ENV CGO_ENABLED=0
RUN for program in operator masterd agentd executord mesosctl; do \
      go build -trimpath -ldflags "-s -w -X github.com/mesos-operator/mesos-operator/internal/version.build=${VERSION}" \
        -o /out/$program ./cmd/$program || exit 1; \
    done

FROM gcr.io/distroless/static:nonroot AS operator
COPY --from=build /out/operator /operator
USER 65532:65532
ENTRYPOINT ["/operator"]

FROM gcr.io/distroless/static:nonroot AS masterd
COPY --from=build /out/masterd /masterd
USER 65532:65532
ENTRYPOINT ["/masterd"]

# The agent makes cgroups, mounts and namespaces on its node: it is the one program that runs as root.
FROM gcr.io/distroless/static:latest AS agentd
COPY --from=build /out/agentd /out/executord /
ENTRYPOINT ["/agentd"]
