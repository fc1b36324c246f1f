# The project's commands, for those who type `just`. They are `cargo xtask` and cargo; nothing is hidden here.

# List the commands.
default:
    @just --list

# Serve the page at http://127.0.0.1:8080, with everything that it needs.
serve:
    cargo xtask serve

# Run every test: native, in headless Chromium, end to end.
test:
    cargo xtask test

# Check what must hold before a change lands.
ci:
    .ci/run

# Check how the code lies: circles, comments, dependencies, spelling, licences.
house:
    cargo xtask house

# Measure, and compare with peers: size, data, train, predict, wgpu, growth, lime, page or web. By itself all of them, for hours.
bench what="":
    cargo xtask bench {{what}}
