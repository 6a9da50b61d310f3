export { createDashboard } from './lib/dashboard.tsx'
export type { Message, PluralMessage } from './lib/language/message.ts'
export type { MessageKey, Messages } from './lib/language/text.ts'
export type { Authorize, DashboardOptions, Operator } from './lib/options.ts'
