import type { Logger } from '@keepsend/engine'

/** A line of JSON for each warning and error, where Workers Logs and `wrangler tail` find it. */
export const consoleLogger: Logger = {
  info() {},
  warn(fields, message) {
    console.warn(JSON.stringify({ level: 'warn', message, ...fields }))
  },
  error(fields, message) {
    console.error(JSON.stringify({ level: 'error', message, ...fields }))
  },
}
