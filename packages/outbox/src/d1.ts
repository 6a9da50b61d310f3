export { type D1Binding, type D1Statement, type D1StatementResult, fromD1 } from './lib/sqlite/d1.ts'
export { sqliteDialect } from './lib/sqlite/dialect.ts'
