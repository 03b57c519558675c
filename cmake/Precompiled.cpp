// Carries the precompiled header that the libraries reuse; see RaptTargets.cmake.
