// Rows of two pixels, for common/tall_pixels.
alias RowOf = vec2f;
alias RowFlags = vec2<bool>;
const COLUMNS = vec2f(0.0, 1.0);
