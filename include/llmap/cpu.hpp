// The CPU: its executor and every op of the forward pass and the head. A program that runs models on the CPU includes
// this with likelihood/score.hpp; one that wants a single op includes that op's header.
#pragma once
#include "llmap/forward/cpu/activate.hpp"
#include "llmap/forward/cpu/attention.hpp"
#include "llmap/forward/cpu/channel_scans.hpp"
#include "llmap/forward/cpu/convolution.hpp"
#include "llmap/forward/cpu/delta_scan.hpp"
#include "llmap/forward/cpu/linear.hpp"
#include "llmap/forward/cpu/memory.hpp"
#include "llmap/forward/cpu/norm.hpp"
#include "llmap/forward/cpu/rope.hpp"
#include "llmap/forward/cpu/route.hpp"
#include "llmap/forward/cpu/rows.hpp"
#include "llmap/forward/cpu/state_scans.hpp"
#include "llmap/likelihood/cpu/linear_cross_entropy.hpp"
