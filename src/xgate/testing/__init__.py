"""What embedders and plug-in authors need to test: fakes and conformance suites."""
