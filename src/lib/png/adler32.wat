;; Source of adler32.wasm; after a change: wat2wasm adler32.wat (WebAssembly Binary Toolkit, wabt).
;; Adler-32 (RFC 1950) of the first `size` bytes of memory, continuing `adler`: 16 bytes at a time.
;; No imports, one memory of two pages, one function.
(module
  (memory (export "memory") 2 2)
  (func (export "adler32") (param $adler i32) (param $size i32) (result i32)
    (local $low i32) (local $high i32) (local $at i32) (local $stop i32) (local $vectors i32)
    (local $bytes v128) (local $sums v128) (local $runs v128) (local $weighted v128)
    (local.set $low (i32.and (local.get $adler) (i32.const 0xffff)))
    (local.set $high (i32.shr_u (local.get $adler) (i32.const 16)))
    (block $done
      (loop $stretch
        ;; 5,552 bytes are the most that both sums take before they need the modulus (zlib's NMAX); it is 347 x 16.
        (local.set $stop (i32.sub (local.get $size) (local.get $at)))
        (if (i32.gt_u (local.get $stop) (i32.const 5552)) (then (local.set $stop (i32.const 5552))))
        (br_if $done (i32.lt_u (local.get $stop) (i32.const 16)))
        (local.set $stop (i32.and (local.get $stop) (i32.const -16)))
        ;; Every byte of the stretch is preceded by $low.
        (local.set $high (i32.add (local.get $high) (i32.mul (local.get $low) (local.get $stop))))
        (local.set $stop (i32.add (local.get $at) (local.get $stop)))
        (local.set $sums (v128.const i32x4 0 0 0 0))
        (local.set $runs (v128.const i32x4 0 0 0 0))
        (local.set $weighted (v128.const i32x4 0 0 0 0))
        (loop $vector
          (local.set $bytes (v128.load (local.get $at)))
          ;; What came before this vector counts 16 times more.
          (local.set $runs (i32x4.add (local.get $runs) (local.get $sums)))
          (local.set $sums
            (i32x4.add
              (local.get $sums)
              (i32x4.extadd_pairwise_i16x8_u (i16x8.extadd_pairwise_i8x16_u (local.get $bytes)))))
          (local.set $weighted
            (i32x4.add
              (local.get $weighted)
              (i32x4.add
                (i32x4.dot_i16x8_s (i16x8.extend_low_i8x16_u (local.get $bytes)) (v128.const i16x8 16 15 14 13 12 11 10 9))
                (i32x4.dot_i16x8_s (i16x8.extend_high_i8x16_u (local.get $bytes)) (v128.const i16x8 8 7 6 5 4 3 2 1)))))
          (local.set $at (i32.add (local.get $at) (i32.const 16)))
          (br_if $vector (i32.lt_u (local.get $at) (local.get $stop))))
        (local.set $weighted (i32x4.add (local.get $weighted) (i32x4.shl (local.get $runs) (i32.const 4))))
        (local.set $low
          (i32.rem_u
            (i32.add
              (local.get $low)
              (i32.add
                (i32.add (i32x4.extract_lane 0 (local.get $sums)) (i32x4.extract_lane 1 (local.get $sums)))
                (i32.add (i32x4.extract_lane 2 (local.get $sums)) (i32x4.extract_lane 3 (local.get $sums)))))
            (i32.const 65521)))
        (local.set $high
          (i32.rem_u
            (i32.add
              (local.get $high)
              (i32.add
                (i32.add (i32x4.extract_lane 0 (local.get $weighted)) (i32x4.extract_lane 1 (local.get $weighted)))
                (i32.add (i32x4.extract_lane 2 (local.get $weighted)) (i32x4.extract_lane 3 (local.get $weighted)))))
            (i32.const 65521)))
        (br $stretch)))
    ;; At most 15 bytes are left.
    (block $end
      (loop $byte
        (br_if $end (i32.eq (local.get $at) (local.get $size)))
        (local.set $low (i32.add (local.get $low) (i32.load8_u (local.get $at))))
        (local.set $high (i32.add (local.get $high) (local.get $low)))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (br $byte)))
    (i32.or
      (i32.shl (i32.rem_u (local.get $high) (i32.const 65521)) (i32.const 16))
      (i32.rem_u (local.get $low) (i32.const 65521)))))
