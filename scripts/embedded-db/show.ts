import { Binary, BSONRegExp, Double, Int32, Long, ObjectId, Timestamp } from 'mongodb'
import { fieldsOf, isDoc, typeOf, type Value } from './values.js'

/** A value as MongoDB prints it in its error messages: `{ a: "x", n: 1.0, at: new Date(0) }`. */
export function show(value: Value): string {
  if (typeof value === 'string') return `"${value}"`
  if (value === null || typeof value === 'boolean') return String(value)
  if (Array.isArray(value)) return value.length ? `[ ${value.map(show).join(', ')} ]` : '[]'
  if (isDoc(value)) {
    const fields = fieldsOf(value).map(([name, inner]) => `${name}: ${show(inner)}`)
    return fields.length ? `{ ${fields.join(', ')} }` : '{}'
  }
  if (value instanceof ObjectId) return `ObjectId('${value.toHexString()}')`
  if (value instanceof Date) return `new Date(${value.getTime()})`
  if (value instanceof Double)
    return Number.isInteger(value.value) ? value.value.toFixed(1) : `${value.value}`
  if (value instanceof Timestamp) return `Timestamp(${value.t}, ${value.i})`
  if (value instanceof Int32 || value instanceof Long) return value.toString()
  if (value instanceof BSONRegExp) return `/${value.pattern}/${value.options}`
  if (value instanceof Binary) {
    const hex = Buffer.from(value.value()).toString('hex').toUpperCase()
    return value.sub_type === Binary.SUBTYPE_UUID
      ? `UUID("${value.toUUID().toString()}")`
      : `BinData(${value.sub_type}, ${hex})`
  }
  return typeOf(value) === 'decimal' ? `Decimal128('${value.toString()}')` : typeOf(value)
}
