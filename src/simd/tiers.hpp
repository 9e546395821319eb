// The tables of the tiers, one a file. All are constant-initialised: a process that never asks for a tier pays nothing.
#pragma once

#include "longbow/simd/kernels.hpp"

namespace longbow::simd {

extern const Kernels kScalarKernels;
#if defined(__x86_64__)
extern const Kernels kSse42Kernels;
extern const Kernels kAvx2Kernels;
extern const Kernels kAvx512Kernels;
extern const Kernels kAvx512VnniKernels;    // kAvx512Kernels with block_dot by dpbusd
extern const Kernels kAvx512PopcntKernels;  // kAvx512VnniKernels with bits counted by vpopcntq
#endif

}  // namespace longbow::simd
