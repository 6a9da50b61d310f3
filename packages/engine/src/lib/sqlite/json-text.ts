import { customType } from 'drizzle-orm/sqlite-core'

// Lists and maps are stored as JSON text, the same on every database.
export const jsonText = customType<{ data: unknown; driverData: string }>({
  dataType: () => 'text',
  toDriver: (value) => JSON.stringify(value),
  fromDriver: (stored): unknown => JSON.parse(stored),
})
