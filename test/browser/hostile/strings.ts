/** Text that a page must show as text. Each would set `hacked`, or break the layout. */
export const HOSTILE: readonly string[] = [
  '<script>globalThis.hacked = 1</script>',
  '"><img src=x onerror="globalThis.hacked=1">',
  "' autofocus onfocus='globalThis.hacked=1' x='",
  '</textarea></title></style></pre></script><svg onload="globalThis.hacked=1">',
  'javascript:globalThis.hacked=1//',
  '&lt;script&gt;globalThis.hacked=1&lt;/script&gt; &#x3c;b> ${hacked} {{hacked}}',
  // Overrides and isolates of direction, not closed; and text that runs from right to left.
  '\u202Egnihtyna\u2066\u2067 שלום עולם',
  'W'.repeat(200),
  'https://example.com/' + 'a-long-path'.repeat(15),
  '👩‍👩‍👧‍👦'.repeat(18),
  'Z\u0351\u036b\u0343\u036a\u0351'.repeat(30),
  'line one\nline two\r\n\ttab \u0001\u0008\u001b[31m\u2028\u2029\u0085',
  // Half of a surrogate pair: the engine refuses it, or stores U+FFFD.
  'half \ud83d',
]
