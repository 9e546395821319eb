// Maps ELF files, finds the frame of an address through .eh_frame_hdr's table, and reads symbol tables.
#include "longbow/prof/image.hpp"

#include <elf.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <limits>

#include "prof/frame.hpp"

namespace longbow::prof {

namespace {

// A struct of the file at an offset; null where the file ends before it does.
template <class T>
const T* view(const std::byte* file, std::size_t bytes, std::uint64_t offset, std::uint64_t count = 1) noexcept {
  if (offset > bytes || count > (bytes - offset) / sizeof(T) || offset % alignof(T) != 0) return nullptr;
  return reinterpret_cast<const T*>(file + offset);
}

struct Headers {
  const Elf64_Phdr* first = nullptr;
  std::size_t count = 0;
};

Headers headers_of(const std::byte* file, std::size_t bytes) noexcept {
  const auto* elf = view<Elf64_Ehdr>(file, bytes, 0);
  const auto* first = view<Elf64_Phdr>(file, bytes, elf->e_phoff, elf->e_phnum);
  return first == nullptr ? Headers{} : Headers{first, elf->e_phnum};
}

// A caller's register by a rule, of which `own` is the callee's.
bool recover(const Rule& rule, const Moment& m, std::uint64_t cfa, std::uint64_t own, std::uint64_t& out) noexcept {
  std::uint64_t address = 0;
  switch (rule.kind) {
    case Rule::same:
      out = own;
      return true;
    case Rule::at_offset:
      return read_word(m, cfa + static_cast<std::uint64_t>(rule.value), out);
    case Rule::in_register:
      if (rule.value < 0 || rule.value >= kRegisters) return false;
      out = m.reg[rule.value];
      return true;
    case Rule::at_expression:
      return evaluate(rule.expression, m, cfa, address) && read_word(m, address, out);
    case Rule::is_expression:
      return evaluate(rule.expression, m, cfa, out);
    default:
      return false;
  }
}

// What the caller's registers were, by the rules of its callee's frame.
bool apply(const Frame& frame, Moment& m) noexcept {
  std::uint64_t cfa = 0;
  if (frame.cfa_expression.code != nullptr) {
    if (!evaluate(frame.cfa_expression, m, 0, cfa)) return false;
  } else if (frame.cfa_register < kRegisters) {
    cfa = m.reg[frame.cfa_register] + static_cast<std::uint64_t>(frame.cfa_offset);
  } else {
    return false;
  }
  if (cfa <= m.reg[kStackPointer]) return false;
  std::uint64_t caller[kRegisters];
  for (int i = 0; i < kRegisters; i++) {
    // A register whose place is beyond the bytes that we have is as good as undefined.
    if (!recover(frame.rule[i], m, cfa, m.reg[i], caller[i])) caller[i] = 0;
  }
  if (frame.rule[kCode].kind == Rule::same) return false;
  caller[kStackPointer] = cfa;
  std::memcpy(m.reg, caller, sizeof caller);
  return m.reg[kCode] != 0;
}

}  // namespace

Image::~Image() {
  if (file_ != nullptr) munmap(const_cast<std::byte*>(file_), bytes_);
}

bool Image::open(const char* path) noexcept {
  const int fd = ::open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  struct stat status {};
  void* at = MAP_FAILED;
  if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_size >= static_cast<off_t>(sizeof(Elf64_Ehdr)))
    at = mmap(nullptr, static_cast<std::size_t>(status.st_size), PROT_READ, MAP_PRIVATE, fd, 0);
  close(fd);
  if (at == MAP_FAILED) return false;
  file_ = static_cast<const std::byte*>(at);
  bytes_ = static_cast<std::size_t>(status.st_size);
  const auto* elf = view<Elf64_Ehdr>(file_, bytes_, 0);
  return std::memcmp(elf->e_ident, ELFMAG, SELFMAG) == 0 && elf->e_ident[EI_CLASS] == ELFCLASS64;
}

std::uint64_t Image::address_of(std::uint64_t offset) const noexcept {
  const Headers h = headers_of(file_, bytes_);
  for (std::size_t i = 0; i < h.count; i++)
    if (h.first[i].p_type == PT_LOAD && offset - h.first[i].p_offset < h.first[i].p_filesz)
      return h.first[i].p_vaddr + (offset - h.first[i].p_offset);
  return 0;
}

const std::byte* Image::offset_of(std::uint64_t address, std::size_t& left) const noexcept {
  const Headers h = headers_of(file_, bytes_);
  for (std::size_t i = 0; i < h.count; i++) {
    const Elf64_Phdr& p = h.first[i];
    if (p.p_type != PT_LOAD || address - p.p_vaddr >= p.p_filesz || p.p_offset > bytes_ ||
        p.p_filesz > bytes_ - p.p_offset)
      continue;
    left = p.p_filesz - (address - p.p_vaddr);
    return file_ + p.p_offset + (address - p.p_vaddr);
  }
  left = 0;
  return nullptr;
}

bool Image::step(std::uint64_t at, Moment& moment) const noexcept {
  const Headers h = headers_of(file_, bytes_);
  const auto* header =
      std::find_if(h.first, h.first + h.count, [](const Elf64_Phdr& p) { return p.p_type == PT_GNU_EH_FRAME; });
  if (header == h.first + h.count) return false;
  std::size_t left = 0;
  const std::byte* table = offset_of(header->p_vaddr, left);
  if (table == nullptr) return false;
  // Version 1, the frames' address and their number in four bytes, a table of offsets from here: what linkers write.
  constexpr std::uint8_t kUsual[] = {1, 0x1b, 0x03, 0x3b};
  if (left < 12 || std::memcmp(table, kUsual, sizeof kUsual) != 0) return false;
  Cursor c(table + 8, left - 8);
  const std::size_t count = std::min<std::size_t>(c.take<std::uint32_t>(), c.left() / 8);
  const std::byte* entries = c.at();
  const auto entry = [entries](std::size_t i, std::size_t half) {
    std::int32_t value = 0;
    std::memcpy(&value, entries + 8 * i + 4 * half, sizeof value);
    return static_cast<std::int64_t>(value);
  };
  const auto wanted = static_cast<std::int64_t>(at - header->p_vaddr);
  std::size_t low = 0, high = count;
  while (low < high) {
    const std::size_t middle = (low + high) / 2;
    if (entry(middle, 0) <= wanted)
      low = middle + 1;
    else
      high = middle;
  }
  if (low == 0) return false;
  const std::uint64_t address = header->p_vaddr + static_cast<std::uint64_t>(entry(low - 1, 1));
  const std::byte* fde = offset_of(address, left);
  FrameCode code{Cursor(nullptr, 0), Cursor(nullptr, 0), 0, 0, 1, 1};
  Frame frame;
  return fde != nullptr && read_frame_code(file_, bytes_, fde, address, code) && frame_at(code, at, frame) &&
         apply(frame, moment);
}

void Image::read_functions() {
  functions_read_ = true;
  const auto* elf = view<Elf64_Ehdr>(file_, bytes_, 0);
  const auto* sections = view<Elf64_Shdr>(file_, bytes_, elf->e_shoff, elf->e_shnum);
  if (sections == nullptr) return;
  const Elf64_Shdr* table = nullptr;
  for (int i = 0; i < elf->e_shnum; i++)
    if (sections[i].sh_type == SHT_SYMTAB || (sections[i].sh_type == SHT_DYNSYM && table == nullptr))
      table = &sections[i];
  if (table == nullptr || table->sh_link >= elf->e_shnum) return;
  const Elf64_Shdr& names = sections[table->sh_link];
  const std::size_t count = table->sh_size / sizeof(Elf64_Sym);
  const auto* symbols = view<Elf64_Sym>(file_, bytes_, table->sh_offset, count);
  const auto* text = view<char>(file_, bytes_, names.sh_offset, names.sh_size);
  if (symbols == nullptr || text == nullptr || names.sh_size == 0 || text[names.sh_size - 1] != 0) return;
  for (std::size_t i = 0; i < count; i++) {
    const Elf64_Sym& s = symbols[i];
    const unsigned type = ELF64_ST_TYPE(s.st_info);
    if ((type != STT_FUNC && type != STT_GNU_IFUNC) || s.st_shndx == SHN_UNDEF || s.st_name >= names.sh_size) continue;
    functions_.push_back({s.st_value, s.st_size, text + s.st_name});
  }
  std::sort(functions_.begin(), functions_.end(),
            [](const Function& a, const Function& b) { return a.start < b.start; });
}

std::string_view Image::function_at(std::uint64_t at) {
  if (!functions_read_) read_functions();
  auto next = std::upper_bound(functions_.begin(), functions_.end(), at,
                               [](std::uint64_t address, const Function& f) { return address < f.start; });
  if (next == functions_.begin()) return {};
  --next;
  return at - next->start < std::max<std::uint64_t>(next->size, 1) ? std::string_view(next->name) : std::string_view();
}

}  // namespace longbow::prof
