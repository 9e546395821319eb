// Writing Prometheus' exposition format.
#include "am/exposition.hpp"

#include <cstdio>

namespace longbow::am {

namespace {

constexpr unsigned kFirstPower = 14, kLastPower = 35;

}  // namespace

void Exposition::family(const char* name, const char* type, const char* help) {
  name_ = name;
  used_ = 0;
  appendStringInfo(out_, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

// A label that finds no room is left out: names of 63 bytes, each of them escaped, fit four times.
void Exposition::label(const char* name, const char* value) {
  char text[512];
  std::size_t n = static_cast<std::size_t>(snprintf(text, sizeof text, "%s%s=\"", used_ > 0 ? "," : "", name));
  for (const char* c = value; *c != '\0' && n + 4 < sizeof text; c++) {
    if (*c == '\\' || *c == '"' || *c == '\n') text[n++] = '\\';
    text[n++] = *c == '\n' ? 'n' : *c;
  }
  text[n++] = '"';
  text[n] = '\0';
  if (used_ + n >= sizeof labels_) return;
  memcpy(labels_ + used_, text, n + 1);
  used_ += n;
}

void Exposition::begin_sample() {
  appendStringInfoString(out_, name_);
  if (used_ > 0) appendStringInfo(out_, "{%s}", labels_);
  appendStringInfoChar(out_, ' ');
  used_ = 0;
}

void Exposition::sample(std::uint64_t value) {
  begin_sample();
  appendStringInfo(out_, UINT64_FORMAT "\n", value);
}

void Exposition::sample(double value) {
  begin_sample();
  appendStringInfo(out_, "%.15g\n", value);
}

void Exposition::counter(const char* name, std::uint64_t value, const char* help) {
  family(name, "counter", help);
  sample(value);
}

void Exposition::gauge(const char* name, double value, const char* help) {
  family(name, "gauge", help);
  sample(value);
}

void Exposition::histogram(const char* name, const stats::Histogram& h, const char* help) {
  family(name, "histogram", help);
  std::uint64_t below = 0;
  for (unsigned power = kFirstPower; power <= kLastPower; power++) {
    below = Max(below, h.count_below(power));  // others record meanwhile: buckets must not fall
    appendStringInfo(out_, "%s_bucket{le=\"%.9g\"} " UINT64_FORMAT "\n", name,
                     static_cast<double>(std::uint64_t{1} << power) / 1e9, below);
  }
  const std::uint64_t all = Max(below, h.count());
  appendStringInfo(out_, "%s_bucket{le=\"+Inf\"} " UINT64_FORMAT "\n%s_sum %.15g\n%s_count " UINT64_FORMAT "\n", name, all, name,
                   static_cast<double>(h.sum()) / 1e9, name, all);
}

}  // namespace longbow::am
