# targets.mk -- packages, and what is tested on another Debian than this machine's. Included by the Makefile.
# All of it needs root, and mmdebstrap.

DEBIAN ?= bookworm trixie

.PHONY: deb test-packages test-trixie
deb: deps-deb ## Debian packages of both releases into build/deb/ (DEBIAN=trixie: of one)
	@for suite in $(DEBIAN); do image/deb.sh $$suite || exit 1; done
test-packages: deps-deb deps-deb-test deb ## the packages on clean Debian 12 and 13 roots, under their systemd
	@PYTHONDONTWRITEBYTECODE=1 DEBIAN="$(DEBIAN)" /usr/bin/python3 -m pytest -q -rs -p no:cacheprovider --confcutdir=tests \
	  --timeout=600 tests/packages $(ARGS)
# Debian 13 has another mbedTLS (3.6, with TLS 1.3), another compiler and another Python.
test-trixie: deps-deb ## unit and system tests in a Debian 13 chroot; ARGS as for make system
	@image/trixie.sh make --no-print-directory $(JOBS) B=build/trixie WORKERS=$(WORKERS) SUITES="unit system" \
	  ARGS="$$ARGS" suites

# --- the image ------------------------------------------------------------------------------

# Of one commit's packages, the same each time: the date is the commit's.
IMAGE ?= $(CURDIR)/build/image
BUILD_IMAGE = VERSION=$(VERSION) SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct) image/build.sh build/deb/trixie $(IMAGE)

.PHONY: image image-again image-test
image: deps-image ## the appliance's disk, of the packages for Debian 13: build/image/postern-VERSION.raw, .qcow2, .vmdk
	+@$(MAKE) --no-print-directory DEBIAN=trixie deb
	@$(BUILD_IMAGE)
image-again: # of the packages and trees that are there, whatever the mirrors have meanwhile
	@KEEP=yes $(BUILD_IMAGE)
image-test: deps-image-test all ## start the image in QEMU, and look at it (make image first); plain emulation takes its time
	@IMAGE=$(IMAGE) BIN=$(CURDIR)/$B/bin PATIENCE=2 PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 -m pytest \
	  -q -rs -p no:cacheprovider --confcutdir=tests --timeout=900 --durations=8 tests/image $(ARGS)

# --- the container image ------------------------------------------------------------------------

.PHONY: oci oci-test
oci: deps-oci ## the packages as an OCI image, made without a container engine: build/oci/postern-VERSION.tar
	+@$(MAKE) --no-print-directory DEBIAN=trixie deb
	@image/oci.sh $(VERSION)
oci-test: deps-oci-test ## run the container image (make oci first)
	@PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 -m pytest -q -rs -p no:cacheprovider --confcutdir=tests --timeout=300 tests/oci $(ARGS)
