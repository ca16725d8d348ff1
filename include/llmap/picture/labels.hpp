// Places labels beside points so that no label covers another label or a point: for each point, in the order
// given, the first free one of eight spots; a label without a free spot is left out.
#pragma once
#include <algorithm>
#include <cstddef>
#include <optional>
#include <vector>

namespace llmap {

/// A point that wants a label.
struct label_point {
  double x, y, width; // center of the point, width of its text (same unit)
};

/// Where a label goes.
struct label_spot {
  double x, y; // left end and middle of the text
};

/// The picture that labels are placed in.
struct label_area {
  double width, height; // of the picture
  double radius, line;  // of a point; height of a line of text
};

namespace detail {
struct label_box {
  double x0, y0, x1, y1;
  bool meets(const label_box& o) const { return x0 < o.x1 && o.x0 < x1 && y0 < o.y1 && o.y0 < y1; }
};
} // namespace detail

/// Where the label of each point goes, in the given order of importance; none where no place is free.
inline std::vector<std::optional<label_spot>>
place_labels(const std::vector<label_point>& points, const std::vector<std::size_t>& order, const label_area& area) {
  std::vector<detail::label_box> used;
  for (const label_point& p : points)
    used.push_back({p.x - area.radius, p.y - area.radius, p.x + area.radius, p.y + area.radius});
  std::vector<std::optional<label_spot>> out(points.size());
  const double gap = area.radius + 3, half = area.line / 2;
  for (const std::size_t i : order) {
    const auto& [x, y, w] = points[i];
    const double near = gap * 0.7, up = y - near - half, down = y + near + half;
    const label_spot spots[] = {
        {x + gap, y},   {x - gap - w, y}, {x - w / 2, y - gap - half}, {x - w / 2, y + gap + half},
        {x + near, up}, {x + near, down}, {x - near - w, up},          {x - near - w, down}};
    for (const label_spot& s : spots) {
      const detail::label_box box{s.x, s.y - half, s.x + w, s.y + half};
      if (box.x0 < 0 || box.y0 < 0 || box.x1 > area.width || box.y1 > area.height) continue;
      if (std::any_of(used.begin(), used.end(), [&](const auto& o) { return o.meets(box); })) continue;
      used.push_back(box);
      out[i] = s;
      break;
    }
  }
  return out;
}

} // namespace llmap
