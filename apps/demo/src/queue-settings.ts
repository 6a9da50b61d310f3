/** What the consumers and the sweep have to know of wrangler.jsonc. test/wrangler.test.ts holds the two together. */
export const queueSettings = {
  maxBatchSize: 10,
  maxBatchTimeoutSeconds: 1,
  // Of the free plan. The queue of a paid one keeps messages for longer, and nothing is wrong then.
  retentionSeconds: 86_400,
  deadLetterQueue: 'keepsend-demo-dead-letters',
} as const
