// Rows of four pixels, for common/tall_pixels.
alias RowOf = vec4f;
alias RowFlags = vec4<bool>;
const COLUMNS = vec4f(0.0, 1.0, 2.0, 3.0);
