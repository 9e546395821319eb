// Byte planes under snappy: byte i of every float together, so that equal exponents and trailing zeros lie side by
// side. snappy's raw format has its own length, which is checked before anything is unpacked.
#pragma once

#include <cstddef>

namespace longbow::wal {

// Bytes that pack() may write.
std::size_t packed_bound(std::size_t bytes) noexcept;
// Packs count floats; `scratch` holds their bytes. Returns the bytes written to out. May throw bad_alloc.
std::size_t pack(const float* in, std::size_t count, std::byte* scratch, std::byte* out);
// Unpacks exactly count floats; false if the bytes do not say so.
bool unpack(const std::byte* in, std::size_t bytes, std::size_t count, std::byte* scratch, float* out) noexcept;

}  // namespace longbow::wal
