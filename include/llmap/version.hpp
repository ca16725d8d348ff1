// The version of the library, for a program that must build with more than one. Semantic versioning: before 1.0 a new
// minor version may rename; CHANGELOG.md says what.
#pragma once

/// Major version.
#define LLMAP_VERSION_MAJOR 0
/// Minor version.
#define LLMAP_VERSION_MINOR 1
/// Patch version.
#define LLMAP_VERSION_PATCH 0

/// A number that grows with the version: `#if LLMAP_VERSION >= 100` is 0.1.0 or later.
#define LLMAP_VERSION (LLMAP_VERSION_MAJOR * 10000 + LLMAP_VERSION_MINOR * 100 + LLMAP_VERSION_PATCH)
