// What others may ask of an open scan.
#pragma once

#include "am/index.hpp"
#include "am/scan_report.hpp"

namespace longbow::am {

// Whether an open index scan is one of ours, by whatever name its access method was made.
bool is_our_scan(IndexScanDesc scan) noexcept;
// What a scan of ours has done up to now.
ScanReport scan_report(IndexScanDesc scan);

}  // namespace longbow::am
