/** The settings of wrangler.jsonc that the consumers and the sweep need. test/wrangler.test.ts compares the two. */
export const queueSettings = {
  maxBatchSize: 10,
  maxBatchTimeoutSeconds: 1,
  // Of the free plan. A longer retention, on a paid plan, does no harm.
  retentionSeconds: 86_400,
  deadLetterQueue: 'keepsend-demo-dead-letters',
} as const
