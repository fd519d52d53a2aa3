import { model, Schema } from 'mongoose'

const schema = new Schema(
  {
    _id: { type: String, required: true },
    count: { type: Number, required: true },
    expiresAt: { type: Date, required: true },
  },
  { collection: 'ratelimits', versionKey: false, writeConcern: { w: 1, j: false } },
)

export const RateCounter = model('RateCounter', schema)
